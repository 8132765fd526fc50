"""The description of the API as a page that needs no other host."""
