"""The portal: the only page pupils reach."""
