"""The command line. Modules here load the heavy rooms only when a command runs."""
