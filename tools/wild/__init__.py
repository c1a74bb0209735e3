"""Inspector, kit and `convert` on packages that others wrote."""
