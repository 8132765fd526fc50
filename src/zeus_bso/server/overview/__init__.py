"""Reading for people: what jobs did and saved, over many trials or many jobs at once. It never writes."""
