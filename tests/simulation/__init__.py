"""The simulation that compares routing with fixed overlap, and the replay of recorded crowds."""
