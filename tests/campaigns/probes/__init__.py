"""Bundles and archives that are made to do harm, one for each way of doing it."""
