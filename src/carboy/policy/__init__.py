"""Policy: who may do what with which row, compiled into every statement."""
