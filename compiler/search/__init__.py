"""Recipe ``auto``: tries recipes, steps and levels, and takes the cheapest that is good enough."""
