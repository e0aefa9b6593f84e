"""Layout, sign-in, translations and charts shared by the three apps."""
