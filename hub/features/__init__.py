"""The features, composed: a function each, from the core to what it adds to the hub."""
