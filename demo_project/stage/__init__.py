"""What it takes to play the bookstore's story: a place, programs, a mail server, a browser and a voice."""
