"""Everything about XMPP stanzas."""
