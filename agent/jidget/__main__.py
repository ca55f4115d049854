from jidget.cli.main import main

raise SystemExit(main())
