"""What the connector costs beside the bare libraries, measured in one invocation, and what arrived."""
