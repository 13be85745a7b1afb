"""Radiographs and tables without what tells who they are about."""
