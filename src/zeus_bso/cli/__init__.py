"""The ``zeus-bso`` command: one small module per subcommand, loaded when the subcommand runs."""
