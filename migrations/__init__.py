"""Versions of the store's schema and of the contract schema `analytics`."""
