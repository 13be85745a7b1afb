"""A patient from a real CT: deformed, broken along its labelled bones, and projected."""
