"""What a run would cost on a device."""
