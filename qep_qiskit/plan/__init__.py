"""Cost estimate of a run on a device."""
