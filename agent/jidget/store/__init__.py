"""What the agent remembers. In memory for now: the Delivery work makes it durable behind the same names."""
