"""What anyone can check afterwards: statements of use, orphans, checks, bundles of evidence.

Read-only: nothing here changes the registry or its log. Verifying a bundle
(:mod:`consent.audit.verifying`) needs no home, no database and no network.
"""
