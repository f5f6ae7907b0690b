"""From a book or text to a plan of what is spoken."""
