"""What the API promises and the workers rely on, each rule once. Imports nothing of ours."""
