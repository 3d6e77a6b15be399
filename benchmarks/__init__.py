"""Speed and memory, run by hand: never in the tests."""
