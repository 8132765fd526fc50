"""The ``zeus-bso`` command: one small module per subcommand, loaded when it is called."""
