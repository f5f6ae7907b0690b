"""From a plan to finished audio."""
