"""What the line commands say and write, for magics and command line alike."""
