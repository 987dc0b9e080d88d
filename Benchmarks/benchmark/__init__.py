"""What Benchmarks/bench is made of: machine, processes, traffic, switches, measurements, rows, report."""
