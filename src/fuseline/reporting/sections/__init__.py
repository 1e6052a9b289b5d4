"""Sections of the report: figures of one metrics file to what the page shows, and its template."""
