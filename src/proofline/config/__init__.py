"""Settings: the recipe (`params.yaml`), its profiles, and the environment it is executed in. No torch here."""
