"""The benchmark suite: it makes inputs, runs every engine on the same work, compares what comes out and writes the results."""
