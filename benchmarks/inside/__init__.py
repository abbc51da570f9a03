"""What is done inside each project's environment. A module imports only what its environment has."""
