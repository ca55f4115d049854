"""The demo, and the private servers it and the tests run on."""
