"""Who acts: the modules that choose the agents' actions. One kind of agent is one file here."""
