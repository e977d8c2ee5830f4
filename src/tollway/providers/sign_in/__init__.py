"""Sign-in of the clouds: where a request must carry a token that expires, or a signature of its own."""
