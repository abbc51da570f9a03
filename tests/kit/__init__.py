"""The testing kit, used as a project would use it: from unittest, from pytest, and from coroutines."""
