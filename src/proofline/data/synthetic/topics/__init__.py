"""The `math` family's topics: each a function from a random source to one exercise, before any last twist."""
