"""The school's console."""
