"""What is asked, authorized, leased and receipted."""
