"""What a provider counted → disjoint `Usage`, in that provider's stated convention."""
