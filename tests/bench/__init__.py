"""How fast zdriver is beside what the machine allows: `make bench`.

Every figure stands beside a limit measured in the same run, in turns with it, so that a busy
machine slows both. The ratio is what tells; the absolute targets are for two quiet cores.
"""
