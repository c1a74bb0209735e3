"""`python -m keras_masking` is the command line."""

from keras_masking.cli import main

if __name__ == "__main__":
    main()
