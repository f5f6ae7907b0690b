"""Who allowed what: registry, authorization, policy and the transparency log."""
