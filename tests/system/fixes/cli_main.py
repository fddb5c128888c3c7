"""The product's command, as a file that another account's interpreter can be given."""

from triagebook.bot.cli.app import main

if __name__ == "__main__":
    main()
