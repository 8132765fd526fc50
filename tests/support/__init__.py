"""What tests share: a server in this process, a server in a process of its own, and a job to talk about."""
