"""The Education office's hub."""
