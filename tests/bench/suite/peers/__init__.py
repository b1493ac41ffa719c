"""The other engines, each told to do the workloads in its own best way. Results are compared, so none can do less work."""
