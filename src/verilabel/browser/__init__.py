"""The verifier as one page for the browser, and the small server that shows it on loopback."""
