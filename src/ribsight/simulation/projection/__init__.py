"""From structures in millimetres to the pixels of a film."""
