"""What else is on a film: devices, clothing, and what looks like a fracture and is none."""
