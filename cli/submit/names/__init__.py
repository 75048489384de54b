"""Which images a run is about: what its arguments mean, looked up while others are already on their way."""
