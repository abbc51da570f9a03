"""What the site answers, one module for each kind of page."""
