"""The functional core: what to try next, when to stop, what was learnt. Values in, decisions out; no I/O, no clock."""
