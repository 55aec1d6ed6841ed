"""What is released: wheel, sdist, SBOM and notes, as `make package-files` left them in dist/."""
